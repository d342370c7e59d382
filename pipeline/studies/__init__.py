"""Studies over pictures of people: the paper's protocol, and stimuli for research."""
