"""Plots, videos and the report page."""
