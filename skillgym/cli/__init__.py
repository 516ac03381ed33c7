"""The `skillgym` command: one module per subcommand, imported only when it is needed."""
