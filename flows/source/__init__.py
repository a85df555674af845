"""What happens to one source: its plan, its work, its rows and their ids."""
