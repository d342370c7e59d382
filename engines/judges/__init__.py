"""Small networks that look at a face from outside: who it is, and what it seems to express.

They judge an edit and never make one: no tracker, estimator or editor reads their answers.
"""
