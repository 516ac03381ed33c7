"""Skill models, one folder a paper."""
