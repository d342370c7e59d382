"""JobError is the one base of wrong calls: what was asked, what was found, what is known."""


class JobError(Exception):
    """A call that cannot be carried out; one line, exit status 2."""
