"""What the workbench shows, and readers beside what is published: each module the rows of one screen, in few queries.

They read and decide nothing; what is done about it are the steps.
"""
