"""The whole job as Ray Data datasets, on one screen."""
