"""What the workbench shows: each module the rows of one screen, in a few queries whatever the size of the list.

They read and decide nothing; what is done about it are the steps.
"""
