"""From tidy tables to statistics, figures and a report.

A pure library: data frames in, data frames and one self-contained HTML page out. It knows nothing
of the site that collected the data; `analysis.load` describes the files it reads.

    python -m analysis report EXPORT --out DIR

or, from Python, `analysis.report.build(export_dir, out_dir)`.
"""
