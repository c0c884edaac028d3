json --indent
