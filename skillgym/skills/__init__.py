"""Skill models, one folder per paper."""
