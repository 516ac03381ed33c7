"""Run folders: everything that is needed to understand, resume and repeat a run.

```
config.json        the configuration
command.txt        the command line of every session
environment.json   versions, git commit and machine of the last session, and `earlier` ones
metrics.csv        the log
result.json        the final evaluation of `skillgym train`
checkpoints/       last/ and, for a skill model, best/
videos/ tb/
```
"""
