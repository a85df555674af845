"""What `augment verify` looks at, one file a kind: files, values, rows among one another, runs, the data set."""
