"""The steps that stack `local` does without: what Azure makes one wait for, record, or do for oneself."""
