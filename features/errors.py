"""The base of every error a user may meet: its text is a sentence, so a front end prints it without a traceback."""


class PersonalizationError(Exception):
    """What happened, the offending value and what to do about it, in words. Subclassed once per cause."""


class BadInputError(PersonalizationError):
    """Something that the caller gave cannot be used: nothing was tried. Causes of that kind are its subclasses."""
