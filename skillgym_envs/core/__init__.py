"""What every world shares: simulators, observation layouts, environments, rendering, errors."""
