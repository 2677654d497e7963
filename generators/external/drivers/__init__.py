"""Scripts for generators without a command line of their own.

They are copied into the shadow checkout and run by the *generator's* interpreter: nothing of this package is imported
there, and they keep to what Python 3.7 knows.
"""
