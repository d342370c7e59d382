"""What all commands share: options, inputs, progress, report, errors."""
