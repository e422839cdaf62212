"""What runs on a node: the sensor, who did it, the policies in force, and whom we tell."""
