"""What everything here stands on: files and folders that users name, checked arguments, the version."""
