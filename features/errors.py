"""The base of every error a user may meet: its text is a sentence, so a front end prints it without a traceback."""


class PersonalizationError(Exception):
    """What happened, the offending value and what to do about it, in words. Subclassed once per cause."""


class BadInputError(PersonalizationError):
    """Something that the caller gave cannot be used: nothing was tried. Causes of that kind are its subclasses."""


def reason(error: BaseException) -> str:
    """What a library's error says, in one line. The name of its Python class tells a user nothing and is left out."""
    lines = str(error).strip().splitlines()
    if not lines:
        return "no reason was given"
    return f"{lines[0]} is missing" if isinstance(error, KeyError) else lines[0].rstrip(".")
