"""How faithful the heatmaps a study shows are: which metrics, what was measured, what it says.

`services.faithfulness` measures; here is all that reads. A value counts while it is of the content
that the ledger has now and was measured the present way.
"""
