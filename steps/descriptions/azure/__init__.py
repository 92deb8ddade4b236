"""The steps that only a stack on Azure needs: to wait for something, to record it, or to do what Azure leaves to us."""
