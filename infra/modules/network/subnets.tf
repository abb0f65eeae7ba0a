resource "aws_subnet" "public" {
  count = 2

  vpc_id                  = aws_vpc.main.id
  availability_zone       = local.zones[count.index]
  cidr_block              = cidrsubnet(var.cidr_block, 4, count.index)
  map_public_ip_on_launch = false

  tags = { Name = "${var.name}-public-${count.index}" }

  lifecycle {
    # A zone that AWS adds later must not replace the subnet.
    ignore_changes = [availability_zone]
  }
}

resource "aws_subnet" "isolated" {
  count = 2

  vpc_id            = aws_vpc.main.id
  availability_zone = local.zones[count.index]
  cidr_block        = cidrsubnet(var.cidr_block, 4, 4 + count.index)

  tags = { Name = "${var.name}-isolated-${count.index}" }

  lifecycle {
    # A zone that AWS adds later must not replace the subnet.
    ignore_changes = [availability_zone]
  }
}

resource "aws_subnet" "private" {
  count = local.has_private ? 2 : 0

  vpc_id            = aws_vpc.main.id
  availability_zone = local.zones[count.index]
  cidr_block        = cidrsubnet(var.cidr_block, 4, 8 + count.index)

  tags = { Name = "${var.name}-private-${count.index}" }

  lifecycle {
    # A zone that AWS adds later must not replace the subnet.
    ignore_changes = [availability_zone]
  }
}
