"""What a night tells: one digest, as a file, and where there are alarms by webhook and mail, each once."""
