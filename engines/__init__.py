"""Everything that needs weights: trackers, AU estimators, editors. No ray, no av."""
