"""The path through the house, one module a step; each receives a session and `now`, and its caller commits.

```
record_edit ─▶ draft_notice ─▶ publish_notice ─▶ announce_notice ─▶ send_deliveries ─▶ record_outcome ─▶ take_effect
                                                      │                  ▲                 │
                                                make_statement           └── retry, bounce ┘
```

Sweeps that must not hold one transaction over all they do take the engine and a clock instead, and own theirs. Nothing
is open while they speak to somebody outside: `send_deliveries` (claim, send, settle row by row), `check_addresses`,
`send_alerts`, `send_ping`. The others work in portions: `match_outcomes`, `erase_expired`, `reconcile`, `watch`.
"""
