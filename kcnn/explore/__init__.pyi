from .networks import Networks as Networks
from .networks import find_networks as find_networks
from .write import write_page as write_page
