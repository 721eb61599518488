#!/bin/sh
# Stands for ssh in a test: whatever the host, it runs the command here.
shift
exec sh -c "$*"
