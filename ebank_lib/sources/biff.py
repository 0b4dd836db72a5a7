def scan(data, name, limits):
    return {}
