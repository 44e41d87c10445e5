"""The researcher's pages: parse, call one service or selector, render. One module per subject."""
