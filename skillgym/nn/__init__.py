"""Networks and distributions shared by skill models and agents."""
