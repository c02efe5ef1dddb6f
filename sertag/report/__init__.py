"""Tables to one page that people look at, listen with and judge: `sertag report`."""
