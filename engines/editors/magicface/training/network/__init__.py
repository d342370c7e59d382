"""What learns: both UNets as one network, its AU encoders, and its averaged weights."""
