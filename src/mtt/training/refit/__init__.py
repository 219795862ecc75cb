"""The last step of a training, in closed form: the baselines are fitted to what is left over."""
