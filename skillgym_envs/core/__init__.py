"""Code that all worlds share: simulators, observations, environments, rendering, errors."""
