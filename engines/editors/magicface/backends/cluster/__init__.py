"""Plans on a Ray cluster: built once per GPU type, copied to the nodes, before or beside a job."""
