"""`yizhan replay`: stored events once more, planned, run, resumed and reported on."""
