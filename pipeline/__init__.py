"""What is done, and no word of when: nothing in here imports Luigi."""
