"""Files in and out: whole or absent, and whatever strangers wrote stays data."""
