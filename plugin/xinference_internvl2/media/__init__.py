"""Pictures and videos of a request: fetched, bounded, decoded and cut into tiles."""
