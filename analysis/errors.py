"""The two ways an analysis can fail, both told in one sentence."""


class AnalysisError(Exception):
    """The input or the output folder cannot be used at all; the command ends with exit code 2."""


class NotComputableError(Exception):
    """One statistic does not exist for these data; the report says why and goes on."""
