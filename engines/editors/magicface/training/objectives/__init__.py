"""What a network is asked to give, and how far it is from it: noise, or a teacher's answer."""
