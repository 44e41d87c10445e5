"""Simulated participants: a stated model of their answers, walked through the real pages."""
