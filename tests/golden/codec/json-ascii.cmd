json --ascii --drop-reserved
