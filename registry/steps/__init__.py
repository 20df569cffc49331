"""The path through the house, one module a step; each receives a session and `now`, and its caller commits.

```
record_edit ─▶ draft_notice ─▶ publish_notice ─▶ announce_notice ─▶ send_deliveries ─▶ record_outcome ─▶ take_effect
                                                      │                  ▲                 │
                                                make_statement           └── retry, bounce ┘
```

Only `send_deliveries` owns its transactions: claim, then nothing open while on the wire, then settle row by row.
"""
