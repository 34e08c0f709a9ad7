"""Orders of a small shop; written plainly, and slower than it need be."""


def returning_customers(last_year: list[str], this_year: list[str]) -> list[str]:
    """Customers of last year who ordered again this year, in the order of last year, each once."""
    returning = []
    for customer in last_year:
        # one visit each is enough
        if customer in this_year and customer not in returning:
            returning.append(customer)
    return returning


def order_codes(numbers: list[int]) -> str:
    """Codes of orders as one line: ``#7 #12 #7``."""
    return " ".join([f"#{number}" for number in numbers])
