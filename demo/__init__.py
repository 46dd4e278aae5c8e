"""The story of one credential's whole life, played on real parts by `tillid demo`.

Start reading in `demo.story`.
"""
