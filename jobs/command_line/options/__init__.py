"""What commands can be told: line, help and report from one model each, a file per command."""
