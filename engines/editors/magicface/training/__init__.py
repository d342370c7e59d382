"""Training MagicFace: the paper's recipe on stock UNets; knows torch and no Ray."""
