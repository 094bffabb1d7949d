from murmuration import Mapper
class M(Mapper):
    def map(self, key, value):
        for w in value.split():
            yield w, 1
reducer = "sum"
