"""Loaded by workers of a cluster when they start: the processes that tag for them fail as names of files say."""

from sertag.parallel import worker

worker._PROGRAM = worker._PROGRAM.replace("from sertag", "import tests.faults; from sertag")
